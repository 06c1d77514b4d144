// Package suggest says what a name that there is not was probably meant to be.
package suggest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// What is still taken for a typing mistake: so many letters added, left out or
// changed, and no more than half of the word. The same letters in another order
// count as one change.
const (
	mostChanges = 3
	mostLetters = 64 // longer ones are no names, and take long to compare
)

// Nearest is the one of all names that is nearest to name, "" when none is near.
func Nearest(name string, all []string) string {
	best, distance := "", mostChanges+1
	if len(name) > mostLetters {
		return ""
	}
	for _, one := range all {
		d := levenshtein.ComputeDistance(name, one)
		if d > 1 && slices.Equal(letters(name), letters(one)) {
			d = 1
		}
		if d < distance && d <= len(one)/2 {
			best, distance = one, d
		}
	}
	return best
}

// letters are those of a name, sorted.
func letters(name string) []rune {
	all := []rune(name)
	slices.Sort(all)
	return all
}

// Among ends an error about a name: it asks whether the nearest of all was
// meant, or tells what there is.
func Among(name string, all []string) string {
	if best := Nearest(name, all); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "there are: " + strings.Join(all, ", ")
}

// Hint is what Among has to ask, to be added to an error that tells what there
// is; "" when no name is near.
func Hint(name string, all []string) string {
	if best := Nearest(name, all); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}
