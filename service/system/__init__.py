"""The processes: what runs, who starts it, who starts it again, and how it all stops."""
