// Package pipeline tells the story of a run and holds its nouns and ports.
//
//	pages -> keep -> decode -> transform -> write -> commit
//
// A *page* is one answer of Graph, byte for byte. *Keep* stores it as it passes.
// *Decode* turns pages into Arrow batches, directed by the table's schema. A
// *transform* takes a stream and gives a stream. *Write* stages data files, and
// one *commit* makes all of a run's files visible at once, over all tables.
// Everything after a page is a function of its bytes, so that a run can be
// replayed from kept pages to the same files.
//
// The package depends on nothing but schemas: extract, transform, load and sql
// implement its ports and never import each other.
package pipeline
