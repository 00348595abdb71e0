"""What alembic runs: the revisions, over the connection and inside the transaction of who called."""

from alembic import context

from database.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
