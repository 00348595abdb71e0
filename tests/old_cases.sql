BEGIN TRANSACTION;
CREATE TABLE change (
	serial INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(16) NOT NULL, 
	pair_id VARCHAR(16) NOT NULL, 
	"before" DATETIME, 
	"after" DATETIME, 
	change_class VARCHAR NOT NULL, 
	probability DOUBLE, 
	ndvi_change DOUBLE, 
	area_m2 DOUBLE NOT NULL, 
	width_m DOUBLE NOT NULL, 
	region VARCHAR NOT NULL, 
	geometry BLOB NOT NULL, 
	west FLOAT NOT NULL, 
	south DOUBLE NOT NULL, 
	east DOUBLE NOT NULL, 
	north DOUBLE NOT NULL, 
	judgement_id VARCHAR(16), 
	UNIQUE (id)
);
INSERT INTO "change" VALUES(1,'428fe6cac5a4491c','pair','2021-05-01 03:00:00.000000','2021-09-01 03:00:00.000000','vegetation_loss',NULL,NULL,2.0255002431750297547e+04,1.10940583673659602941e+02,'140105',X'01030000000100000005000000E3A59BC4200059400000000000804140E3A59BC420005940E3A59BC4208041400000000000005940E3A59BC42080414000000000000059400000000000804140E3A59BC4200059400000000000804140',100.0,35.0,100.002,35.001,'ff664a7e012e226f');
INSERT INTO "change" VALUES(2,'7867807c937383d1','pair','2021-05-01 03:00:00.000000','2021-09-01 03:00:00.000000','vegetation_gain',NULL,NULL,1.0127501215815544128e+04,9.12876143534594461891e+01,'140105',X'0103000000010000000500000062105839B4005940000000000080414062105839B4005940E3A59BC420804140713D0AD7A3005940E3A59BC420804140713D0AD7A3005940000000000080414062105839B40059400000000000804140',100.01,35.0,100.011,35.001,'69882be682e1d19e');
INSERT INTO "change" VALUES(3,'3243de612857c438','pair','2021-05-01 03:00:00.000000','2021-09-01 03:00:00.000000','unclassified',NULL,NULL,8.10204570069909095746e+01,8.87524605059018689701e+00,'140105',X'0103000000010000000500000093A9825149015940000000000080414093A98251490159401CB1169F02804140E17A14AE470159401CB1169F02804140E17A14AE47015940000000000080414093A98251490159400000000000804140',100.02,35.0,100.0201,35.00008,'2ca273fc2233ca46');
CREATE TABLE enforcement_case (
	serial INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(24) NOT NULL, 
	change_id VARCHAR(16) NOT NULL, 
	judgement_id VARCHAR(16) NOT NULL, 
	status VARCHAR NOT NULL, 
	opened DATETIME NOT NULL, 
	held JSON NOT NULL, 
	version INTEGER NOT NULL, 
	UNIQUE (id), 
	UNIQUE (change_id), 
	FOREIGN KEY(change_id) REFERENCES change (id), 
	FOREIGN KEY(judgement_id) REFERENCES judgement (id)
);
INSERT INTO "enforcement_case" VALUES(1,'case-428fe6cac5a4491c','428fe6cac5a4491c','ff664a7e012e226f','field_check','2026-11-23 13:56:43.295927','{}',2);
INSERT INTO "enforcement_case" VALUES(2,'case-7867807c937383d1','7867807c937383d1','69882be682e1d19e','doubt','2026-11-23 13:56:43.295927','{}',1);
CREATE TABLE event (
	serial INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	case_id VARCHAR(24) NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	from_status VARCHAR NOT NULL, 
	to_status VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	evidence JSON NOT NULL, 
	FOREIGN KEY(case_id) REFERENCES enforcement_case (id)
);
INSERT INTO "event" VALUES(1,'case-428fe6cac5a4491c','2026-11-23 13:56:43.295927','opened','tiankan','machine','','suspected','opened: suspected_violation by rule LAST','{}');
INSERT INTO "event" VALUES(2,'case-7867807c937383d1','2026-11-23 13:56:43.295927','opened','tiankan','machine','','doubt','opened: doubt by rule APPROVED','{}');
INSERT INTO "event" VALUES(3,'case-428fe6cac5a4491c','2026-11-23 13:56:43.375692','moved','李伟','county','suspected','field_check','','{}');
CREATE TABLE judgement (
	id VARCHAR(16) NOT NULL, 
	change_id VARCHAR(16) NOT NULL, 
	judged DATETIME NOT NULL, 
	verdict VARCHAR NOT NULL, 
	rule_id VARCHAR NOT NULL, 
	basis VARCHAR NOT NULL, 
	rulebook VARCHAR NOT NULL, 
	facts JSON NOT NULL, 
	seen JSON NOT NULL, 
	missing JSON NOT NULL, 
	proof VARCHAR NOT NULL, 
	layers JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(change_id) REFERENCES change (id)
);
INSERT INTO "judgement" VALUES('ff664a7e012e226f','428fe6cac5a4491c','2026-11-23 13:56:43.295927','suspected_violation','LAST','basis of LAST','d75c22fac7705a0d','{"change_class": "vegetation_loss", "change_area_m2": 20255.002, "change_width_m": 110.941, "change_probability": null, "change_ndvi": null}','{"change_area_m2": 20255.002, "change_class": "vegetation_loss"}','{}','','{"layers.toml": "00"}');
INSERT INTO "judgement" VALUES('69882be682e1d19e','7867807c937383d1','2026-11-23 13:56:43.295927','doubt','APPROVED','basis of APPROVED','d75c22fac7705a0d','{"change_class": "vegetation_gain", "change_area_m2": 10127.501, "change_width_m": 91.288, "change_probability": null, "change_ndvi": null}','{"change_area_m2": 10127.501, "change_class": "vegetation_gain"}','{"approvals_share": "no layer in layers.toml measures it"}','number of the approval','{"layers.toml": "00"}');
INSERT INTO "judgement" VALUES('2ca273fc2233ca46','3243de612857c438','2026-11-23 13:56:43.295927','other','SLIVER','basis of SLIVER','d75c22fac7705a0d','{"change_class": "unclassified", "change_area_m2": 81.02, "change_width_m": 8.875, "change_probability": null, "change_ndvi": null}','{"change_area_m2": 81.02}','{}','','{"layers.toml": "00"}');
CREATE TABLE pair (
	id VARCHAR(16) NOT NULL, 
	before_scene VARCHAR(16) NOT NULL, 
	after_scene VARCHAR(16) NOT NULL, 
	made JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(before_scene) REFERENCES scene (id), 
	FOREIGN KEY(after_scene) REFERENCES scene (id)
);
INSERT INTO "pair" VALUES('pair','one','two','{"detector": "irmad"}');
CREATE TABLE scene (
	id VARCHAR(16) NOT NULL, 
	name VARCHAR NOT NULL, 
	sensor VARCHAR NOT NULL, 
	acquired DATETIME, 
	gsd_m DOUBLE NOT NULL, 
	href VARCHAR NOT NULL, 
	west DOUBLE NOT NULL, 
	south DOUBLE NOT NULL, 
	east DOUBLE NOT NULL, 
	north DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "scene" VALUES('one','one','sentinel-2',NULL,10.0,'one.tif',100.0,35.0,101.0,36.0);
INSERT INTO "scene" VALUES('two','two','sentinel-2',NULL,10.0,'two.tif',100.0,35.0,101.0,36.0);
CREATE INDEX change_box ON change (west, east, south, north);
CREATE INDEX ix_change_pair_id ON change (pair_id);
CREATE INDEX ix_change_region ON change (region);
CREATE INDEX ix_change_west ON change (west);
CREATE INDEX ix_change_change_class ON change (change_class);
CREATE INDEX ix_judgement_change_id ON judgement (change_id);
CREATE TRIGGER judgement_is_never_updated BEFORE UPDATE ON judgement BEGIN SELECT RAISE(ABORT, 'judgement: rows are added, never changed'); END;
CREATE TRIGGER judgement_is_never_deleted BEFORE DELETE ON judgement BEGIN SELECT RAISE(ABORT, 'judgement: rows are added, never changed'); END;
CREATE TRIGGER judgement_is_never_replaced BEFORE INSERT ON judgement WHEN EXISTS (SELECT 1 FROM judgement WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'judgement: rows are added, never changed'); END;
CREATE INDEX ix_enforcement_case_status ON enforcement_case (status);
CREATE INDEX ix_event_case_id ON event (case_id);
CREATE TRIGGER event_is_never_updated BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event: rows are added, never changed'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event: rows are added, never changed'); END;
CREATE TRIGGER event_is_never_replaced BEFORE INSERT ON event WHEN EXISTS (SELECT 1 FROM event WHERE serial = NEW.serial) BEGIN SELECT RAISE(ABORT, 'event: rows are added, never changed'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('change',3);
INSERT INTO "sqlite_sequence" VALUES('enforcement_case',2);
INSERT INTO "sqlite_sequence" VALUES('event',3);
COMMIT;
