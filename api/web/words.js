// Every word that a person reads, in both languages.
const TABLE = {
  en: {
    language: "中文", cases: "cases", changes: "changes", more: "Load more", back: "← All cases", all_statuses: "All statuses",
    all_verdicts: "All verdicts", rule: "Rule", basis: "Legal basis", facts: "Facts seen", missing: "Missing, and why",
    proof: "Proof to bring", dates: "Between", area: "Area", region: "Region", held: "Evidence in hand", history: "History",
    moves: "Next step", officer: "Name of the officer", role: "Role", nothing: "nothing", before: "before", after: "after",
    swipe: "Swipe between before and after", in: "Zoom in", out: "Zoom out", fit: "Show all", needs: "needs",
    empty: "No cases yet. Fill the database with: ./tiankan run", unreachable: "The server cannot be reached. Is ./tiankan serve running?",
    footnote: "A satellite clue is a clue, not a verdict. Before any penalty people check it in the field.",
    suspected_violation: "suspected violation", doubt: "doubt", lawful: "lawful", other: "other", pseudo_change: "pseudo-change",
    rural_road: "rural road", facility: "farm facility", temporary: "temporary use", suspected: "suspected",
    field_check: "field check", proven: "proven", returned: "returned", city_review: "city review",
    province_review: "province review", objection: "objection", violation: "violation (decided by a person)", stop_order: "stop order",
    filed: "filed", investigation: "investigation", audited: "legal audit done", notice: "notice", hearing: "hearing",
    decision: "decision", served: "served", executed: "executed", court: "court", closed: "closed", rectification: "rectification",
    verification: "verification", signed_off: "signed off", police: "to the police", discipline: "to discipline inspection",
    split: "split", merged: "merged", not_filed: "not filed", withdrawn: "withdrawn", reported: "reported",
    unclassified: "unclassified", linear: "linear", vegetation_loss: "vegetation loss", vegetation_gain: "vegetation gain",
    building_appeared: "building appeared", building_disappeared: "building gone",
    county: "county", city: "city", province: "province", legal: "legal auditor", photo: "photo",
    overlay: "overlay with the layers", hearing_request: "request for a hearing", chip_before: "chip before", chip_after: "chip after", field_evidence: "field record",
    two_officers: "two officers (A; B)", legal_audit: "legal audit", document: "document", reason: "reason", acceptance: "acceptance",
    later_scene: "later scene", opened: "opened", moved: "moved", judged: "judged again",
    statement: "statement and defence", waiver: "waiver", valid_until: "valid until", deadline: "deadline", extension: "extension",
    evidence: "evidence given", bundled: "evidence bundle made", joined: "joined", carried: "earlier verdict carried over",
    new_look: "new look", rebound: "rebound", reminded: "reminded", warned: "warned", lifted: "lifted to the next level",
    suspended: "clock stands still", numbered: "numbered", supervised: "under supervision", released: "released from supervision",
  },
  zh: {
    language: "English", cases: "案件", changes: "图斑", more: "加载更多", back: "← 全部案件", all_statuses: "全部状态",
    all_verdicts: "全部结论", rule: "规则", basis: "法律依据", facts: "已见事实", missing: "缺少的证明及原因",
    proof: "需要提供的证明", dates: "前后时相", area: "面积", region: "行政区", held: "已有证据", history: "办理记录",
    moves: "下一步", officer: "执法人员姓名", role: "角色", nothing: "无", before: "前时相", after: "后时相",
    swipe: "前后时相卷帘", in: "放大", out: "缩小", fit: "全图", needs: "需要",
    empty: "还没有案件。请先运行 ./tiankan run", unreachable: "无法连接服务器，请确认 ./tiankan serve 正在运行。",
    footnote: "卫星线索只是线索，不是结论。任何处罚之前必须由人员实地核查。",
    suspected_violation: "疑似违法", doubt: "存疑", lawful: "合法", other: "其他", pseudo_change: "伪变化",
    rural_road: "农村道路", facility: "设施农用地", temporary: "临时用地", suspected: "疑似", field_check: "外业核查", proven: "已举证",
    returned: "退回", city_review: "市级审核", province_review: "省级审核", objection: "异议", violation: "违法（由人员认定）",
    stop_order: "责令停止", filed: "立案", investigation: "调查", audited: "法制审核", notice: "告知", hearing: "听证", decision: "处罚决定",
    served: "送达", executed: "执行", court: "申请强制执行", closed: "结案", rectification: "整改", verification: "验收核实",
    signed_off: "销号", police: "移送公安", discipline: "移送纪检", split: "已分割", merged: "已合并",
    not_filed: "不予立案", withdrawn: "撤销案件", reported: "群众举报", unclassified: "未分类", linear: "线状地物",
    vegetation_loss: "植被减少", vegetation_gain: "植被增加",
    building_appeared: "新增建筑", building_disappeared: "建筑消失", county: "县级", city: "市级", province: "省级", legal: "法制审核员",
    photo: "举证照片", overlay: "套合分析图", hearing_request: "听证申请书", chip_before: "前时相影像截图", chip_after: "后时相影像截图",
    field_evidence: "外业核查记录", two_officers: "两名执法人员（甲; 乙）", legal_audit: "法制审核意见",
    document: "证明文件", reason: "理由", acceptance: "整改验收", later_scene: "后时相影像", opened: "开案", moved: "流转", judged: "重新判定",
    statement: "陈述申辩笔录", waiver: "放弃陈述申辩声明", valid_until: "证明有效期至", deadline: "期限", extension: "延期决定",
    evidence: "提交证据", bundled: "导出证据包", joined: "并入本案", carried: "沿用原结论", new_look: "重新核查", rebound: "反弹",
    reminded: "提醒", warned: "预警", lifted: "升级督办", suspended: "中止计时", numbered: "编号", supervised: "挂牌督办", released: "解除督办",
  },
};

let language = localStorage.getItem("tiankan.language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

export const current = () => language;
export const say = (word) => TABLE[language][word] ?? String(word);
export const words = (names) => names.filter((name) => name in TABLE.en);

export function turn() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("tiankan.language", language);
}
