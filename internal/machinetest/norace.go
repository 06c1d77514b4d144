//go:build !race

package machinetest

// underRace is true where tests run under the race detector.
const underRace = false
