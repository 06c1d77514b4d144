//go:build race

package main

// raced: the race detector looks at this test, where whole compilers would run
// ten times as long and nothing is shared between goroutines.
const raced = true
