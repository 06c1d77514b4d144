package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"squall/orchestrator/testplan"
)

// A cell's name is its group's, then its seed and, where cells are repeated, the
// number of the repeat: "nodes-3_nemesis-kill_s1_r2". The group's name is made of
// the settings that differ within the campaign. Nothing in it means anything to a
// shell, a file system or an address.
const (
	maxSlug  = 32  // of one value, before it is cut and given a hash
	maxGroup = 120 // of all settings together, likewise
	hashLen  = 8
)

// nameGroups gives every group a name that no other has.
func nameGroups(groups []group) {
	var parts [][]string
	for range groups {
		parts = append(parts, nil)
	}
	for _, option := range testplan.Options() {
		values := make([]string, len(groups))
		for i := range groups {
			values[i] = option.Get(&groups[i].test)
		}
		if !differ(values) {
			continue
		}
		words := slugs(values)
		for i, value := range values {
			parts[i] = append(parts[i], option.Name+"-"+words[value])
		}
	}
	for i := range groups {
		groups[i].name = cut(strings.Join(parts[i], "_"), maxGroup)
	}
}

func differ(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}

// slugs are the values as words; two values that would be one word, also on a
// file system that does not tell upper case from lower, are told apart by a hash.
func slugs(values []string) map[string]string {
	words := map[string]string{}
	count := map[string]int{}
	for _, v := range values {
		if _, ok := words[v]; !ok {
			words[v] = slug(v)
			count[words[v]]++
		}
	}
	for v, word := range words {
		if count[word] > 1 {
			words[v] = withHash(word, v)
		}
	}
	return words
}

// slug is a text as one word of lower-case letters, digits, dots and dashes.
func slug(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() > 2*maxSlug { // the rest is in the hash
			break
		}
	}
	word := strings.Trim(b.String(), "-.")
	if word == "" {
		word = "none"
		if text != "" {
			word = withHash("x", text)
		}
	}
	if len(word) > maxSlug {
		word = withHash(word[:maxSlug-hashLen-1], text)
	}
	return word
}

func cut(name string, most int) string {
	if len(name) <= most {
		return name
	}
	return withHash(name[:most-hashLen-1], name)
}

// withHash ends a word with a part of the hash of what it stands for.
func withHash(word, text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.Trim(word, "-._") + "-" + hex.EncodeToString(sum[:])[:hashLen]
}

// cellID names a cell of a group.
func cellID(group string, seed uint64, repeat, repeats int) string {
	words := slices.DeleteFunc([]string{group, fmt.Sprintf("s%d", seed)}, func(s string) bool { return s == "" })
	if repeats > 1 {
		words = append(words, fmt.Sprintf("r%d", repeat))
	}
	return strings.Join(words, "_")
}
