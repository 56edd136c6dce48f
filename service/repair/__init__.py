"""The reconciler: repairs what a crash left, and removes what was deleted."""
