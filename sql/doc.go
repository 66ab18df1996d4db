// Package sql says what the lake's rows mean. It holds a dbt project (seeds,
// models, tests) and runs it on an embedded DuckDB.
//
//	stored tables -> staging -> intermediate -> marts -> tests -> gold
//
// A *stored table* is a list of Parquet files of one committed snapshot, named one
// by one, never by a wildcard. A *seed* is a rule table: thresholds, classes,
// managed SKUs. A *model* is one SELECT; *staging* translates a stored table's
// names and types once, *intermediate* models hold the rules, and a *mart* is
// what people rely on. A *test* is a SELECT whose rows are faults.
//
// Models may use ref, source, config, var and if of dbt's Jinja and nothing else:
// Build refuses any other word with its file and line. So dbt itself can run the
// project, and this package needs no Python.
//
// Build writes marts to a directory and decides nothing about publishing them:
// its Result says which tests failed. Query answers one SELECT over stored
// tables and marts and can neither write nor read any other file.
package sql
