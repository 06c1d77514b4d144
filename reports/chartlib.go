package reports

import _ "embed" // the library

// ChartScript and ChartStyle are uPlot, which draws the charts of squall's pages
// (assets/uplot: its version and its licence).
var (
	//go:embed assets/uplot/uPlot.iife.min.js
	ChartScript string
	//go:embed assets/uplot/uPlot.min.css
	ChartStyle string
)
