package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// duplicate has packets arrive twice.
func duplicate() nemesis.Fault {
	return shaping{
		name: "duplicate",
		doc:  "packets arrive twice",
		params: []declare.Param{
			{Name: "share", Kind: declare.Share, Default: "20%", Draw: []string{"10%", "20%", "50%"}, Min: "0.1%", Max: "100%",
				Doc: "how many arrive twice"},
		},
		raw:  true,
		of:   func(a declare.Args) nemesis.Shaping { return nemesis.Shaping{Duplicate: a.Float("share")} },
		flow: manyDatagrams,
		claims: func(a declare.Args, n int) []claim {
			return []claim{share("arrived twice", a.Float("share"), n, duplicated)}
		},
	}.fault()
}
