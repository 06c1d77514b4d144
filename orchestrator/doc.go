// Package orchestrator runs one test from start to verdict: it brings the
// machines up, starts the system under test, the driver and the nemesis,
// records the history and has it checked.
package orchestrator
