// Package custom makes a system under test of a description: which files its machines
// hold, how a node starts, when it is ready, who leads, and how clients speak to it,
// over HTTP, in the protocol of Redis, or by a program of their own. So a store needs no
// code here. Package systemfile reads such descriptions from YAML; docs/system-file.md
// tells about them to those who write one.
//
// What can be wrong with a description is found by Check, before anything starts.
// Descriptions travel as JSON, in a plan and to the driver, and are checked again there.
package custom
