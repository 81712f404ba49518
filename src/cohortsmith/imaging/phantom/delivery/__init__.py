"""The embedded study as the archives deliver theirs: true layouts, true tables, and the traps they hold."""
