package testplan

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how long the name of a test or campaign may be, bytes: it is that
// of a folder, and file systems end at 255.
const maxName = 200

// CheckName refuses what cannot be the name of a test or campaign, which is that
// of its folder too: on any file system, in a shell, beside what squall keeps in
// the folder of runs. The error says how to go on.
func CheckName(name string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\<>:"|?*`, r) }
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch i := strings.IndexFunc(name, odd); {
	case name == "":
		return fmt.Errorf("expected a name, found nothing: %s", wayOut)
	case len(name) > maxName:
		return fmt.Errorf("expected a name of at most %d bytes, found %d: %s", maxName, len(name), wayOut)
	case !utf8.ValidString(name):
		return fmt.Errorf("%q is not text: %s", name, wayOut)
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(name[i:])
		return fmt.Errorf("%q holds %q, which cannot stand in the name of a folder everywhere: %s", name, r, wayOut)
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.TrimSpace(name) != name, strings.HasPrefix(name, "-"), strings.HasPrefix(name, "~"):
		return fmt.Errorf("%q begins or ends with a dot, a space, a dash or a tilde: %s", name, wayOut)
	case slices.Contains(reserved(), strings.ToLower(name)):
		return fmt.Errorf("%q is what squall itself keeps in the folder of runs: %s", name, wayOut)
	case slices.Contains(devices(), stem):
		return fmt.Errorf("%q is a device on Windows and cannot be a folder there: %s", name, wayOut)
	}
	return nil
}

const wayOut = `choose another, such as "my-test-2"`

// reserved are the names in the folder of runs that are no tests.
func reserved() []string { return []string{latestLink, "campaigns", "elections"} }

// devices are the names that Windows gives to devices, with any ending.
func devices() []string {
	names := []string{"con", "prn", "aux", "nul", "conin$", "conout$"}
	for i := range 10 {
		names = append(names, fmt.Sprintf("com%d", i), fmt.Sprintf("lpt%d", i))
	}
	return names
}
