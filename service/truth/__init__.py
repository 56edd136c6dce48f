"""PostgreSQL, the truth about batches and items: tables, their history, and every statement that moves one."""
