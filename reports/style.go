package reports

// BaseStyle is the style sheet that all pages of squall share: the colours for
// light, dark and print, badges of verdicts (.badge .badge-pass), tables
// (.table in a .scroll), cards, notices and buttons.
func BaseStyle() string { return asset("base.css") }

// ChartScript and ChartStyle are uPlot, which draws the charts of squall's pages
// (assets/uplot: its version and its licence).
func ChartScript() string { return asset(uplot) }

// ChartStyle is its style sheet.
func ChartStyle() string { return asset("uplot/uPlot.min.css") }
