//go:build !race

package measure

// raceDetector is true where these tests run under the race detector.
const raceDetector = false
