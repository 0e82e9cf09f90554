"""What Alembic runs to migrate: in the connection, and so in the transaction, that `gateway.store.migrate` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
