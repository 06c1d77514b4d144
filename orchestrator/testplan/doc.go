// Package testplan is a test as people write it: its settings, how they are read from
// flags and files, what is wrong with them and where; the plan that they and the seed
// make; and the run directories that hold plans.
package testplan
