// Package hunt runs one test many times, for an answer that one run cannot give: seed after
// seed until something is found (Until), the same faults again for how often they show it
// (Again), and with fewer and fewer faults for the smallest plan that still does (Shrink).
package hunt
