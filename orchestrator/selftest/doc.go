// Package selftest measures how much a pass is worth: it storms nodes with known
// bugs, each on several seeds, and counts which check finds which bug, how often
// and how soon. Beside them it storms the correct node, in which nothing may be
// found.
//
// It is a campaign (plan.go), whose results are counted (count.go) and told as
// text, as Markdown and as JSON (text.go, markdown.go).
package selftest
