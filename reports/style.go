package reports

import _ "embed" // the style sheet

// BaseStyle is the style sheet that all pages of squall share: the colours for
// light, dark and print, badges of verdicts (.badge .badge-pass), tables
// (.table in a .scroll), cards, notices and buttons.
//
//go:embed assets/base.css
var BaseStyle string
