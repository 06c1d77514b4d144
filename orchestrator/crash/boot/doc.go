// Package boot boots clusters from states that a power cut may have left, and looks at them: the Booter of package
// crash. Machines are made once, and used for one state after the other: the servers are killed, the data
// directories emptied, the state's files laid into them, and the servers started; for a second start the power of all machines is cut.
package boot
