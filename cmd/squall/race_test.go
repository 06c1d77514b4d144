//go:build race

package main

// raceDetector is true where these tests run under the race detector.
const raceDetector = true
