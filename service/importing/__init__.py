"""Pipelines of other libraries as recipes: tables of what each class is here, and a report of every item."""
