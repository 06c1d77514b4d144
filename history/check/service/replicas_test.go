package service

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// compared is a comparison at position 40: "n1=aa", "n1=aa/basis" or "n1!why".
func compared(all ...string) history.Mark {
	r := &history.Replicas{At: 40}
	for _, text := range all {
		one := history.Replica{Position: 41}
		var why bool
		if one.Node, one.Err, why = strings.Cut(text, "!"); !why {
			one.Node, one.Digest, _ = strings.Cut(text, "=")
			one.Digest, one.Basis, _ = strings.Cut(one.Digest, "/")
		}
		r.Of = append(r.Of, one)
	}
	return history.Mark{Name: history.MarkReplicas, Time: 9 * checktest.Second, Replicas: r}
}

// behind makes the last node one that has not come as far as the others.
func behind(m history.Mark) history.Mark {
	m.Replicas.Wanted = 70
	for i := range m.Replicas.Of[:len(m.Replicas.Of)-1] {
		m.Replicas.Of[i].Position = 70
	}
	return m
}

func TestReplicas(t *testing.T) {
	for _, tt := range []struct {
		name  string
		marks []history.Mark
		want  check.Verdict
		text  string
	}{
		{"the same", []history.Mark{compared("n1=aa", "n2=aa", "n3=aa")}, check.Pass, "the copies of 3 nodes were the same at position 40"},
		{"one stands alone", []history.Mark{compared("n1=aa", "n2=bb", "n3=aa")}, check.Violation,
			"n2 stands alone: at position 40 its copy of the state has the digest bb, and n1 and n3 have aa"},
		{"one of five", []history.Mark{compared("n1=aa", "n2=aa", "n3=aa", "n4=aa", "n5=bb")}, check.Violation, "n5 stands alone: "},
		{"of two nobody stands alone", []history.Mark{compared("n1=aa", "n2=bb")}, check.Violation,
			"the nodes' copies of the state differ at position 40: by their digests n1 has aa, n2 has bb"},
		{"two and three", []history.Mark{compared("n1=aa", "n2=bb", "n3=bb", "n4=aa", "n5=bb")}, check.Violation,
			"differ at position 40: by their digests n2, n3 and n5 have bb, n1 and n4 have aa"},
		{"all differ", []history.Mark{compared("n1=aa", "n2=bb", "n3=cc")}, check.Violation, "n1 has aa, n2 has bb, n3 has cc"},
		{"one is silent", []history.Mark{compared("n1=aa", "n2!timeout: no answer in 5s", "n3=aa")}, check.Unknown,
			"n2 told nothing of its own (\"timeout: no answer in 5s\")"},
		{"one is silent and others differ", []history.Mark{compared("n1=aa", "n2!gone", "n3=bb")}, check.Violation, "n1 has aa, n3 has bb"},
		{"nobody answers", []history.Mark{compared("n1!x", "n2!x", "n3!x")}, check.Unknown, "n3 told nothing"},
		{"bases that differ do not compare", []history.Mark{compared("n1=aa/from 1", "n2=bb/from 7", "n3=aa/from 1")}, check.Unknown,
			"digests that do not compare: n1 and n3 by \"from 1\", n2 by \"from 7\""},
		{"within a basis they do", []history.Mark{compared("n1=aa/from 1", "n2=bb/from 7", "n3=cc/from 1")}, check.Violation,
			"at position 40 (\"from 1\"): by their digests n1 has aa, n3 has cc"},
		{"they were the same later", []history.Mark{compared("n1=aa", "n2=bb", "n3=aa"), compared("n1=cc", "n2=cc", "n3=cc")}, check.Violation, "n2 stands alone"},
		{"once complete", []history.Mark{compared("n1=aa", "n2!no", "n3=aa"), compared("n1=cc", "n2=cc", "n3=cc")}, check.Pass, "the same"},
		{"hostile", []history.Mark{compared("n1=\x1b[31m", "n2=bb", "n3=bb")}, check.Violation, `the digest "\x1b[31m"`},
		{"one is far behind", []history.Mark{behind(compared("n1=aa", "n2=aa", "n3=aa"))}, check.Unknown, "n3 had only come to position 41 of 70 in time"},
		{"one is far behind and differs", []history.Mark{behind(compared("n1=aa", "n2=aa", "n3=bb"))}, check.Violation, "n3 stands alone"},
		{"never compared", nil, check.Unknown, "were not compared"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &history.History{Header: checktest.Registers("n1", "n2", "n3"), Marks: tt.marks}
			res := Replicas().Check(t.Context(), &check.Input{History: h})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.text) {
				t.Errorf("%s: %s, want %s with %q", res.Verdict, res.Summary, tt.want, tt.text)
			}
			if violated := res.Verdict == check.Violation; violated != (res.Kind == check.KindDiverged) || violated != (res.FirstAt != nil) {
				t.Errorf("%+v", res)
			}
		})
	}
}

// A history from before squall's own nodes were asked has no comparison, which is nothing
// against them; one with a scan should have one.
func TestReplicasOfBefore(t *testing.T) {
	mark := func(names ...string) *check.Input {
		in := &check.Input{History: &history.History{}}
		for _, name := range names {
			in.Marks = append(in.Marks, history.Mark{Name: name})
		}
		return in
	}
	for _, tt := range []struct {
		in   *check.Input
		want check.Verdict
	}{
		{mark(history.MarkHealed, history.MarkDone), check.Pass},
		{mark(history.MarkHealed, history.MarkScan, history.MarkDone), check.Unknown},
		{mark(history.MarkHealed), check.Unknown},
		{mark(history.MarkHealed, history.MarkInvalid, history.MarkDone), check.Unknown},
	} {
		if res := Replicas().Check(t.Context(), tt.in); res.Verdict != tt.want {
			t.Errorf("%+v: %s: %s", tt.in.Marks, res.Verdict, res.Summary)
		}
	}
}
