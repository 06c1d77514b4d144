// Package campaign runs many tests: those that a campaign file's matrix expands
// to. It reads the file (file.go), expands it into cells (expand.go), names them
// (name.go), plans (plan.go) and runs them, a few at once (run.go, cell.go),
// and goes on with a campaign that was cut short (resume.go).
//
// What is known stands in campaign.json after every step: see history/ledger.
package campaign
