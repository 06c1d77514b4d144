// Package squall knows its version.
package squall

// Version is that of squall, by Semantic Versioning; CHANGELOG.md tells what it
// holds.
const Version = "0.1.0"
