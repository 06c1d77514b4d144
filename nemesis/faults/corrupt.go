package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// corrupt flips bytes on the way: so that a checksum tells and the packet is as
// good as lost, or with the checksum made right again, so that the application
// gets them.
func corrupt() nemesis.Fault {
	f := shaping{
		name: "corrupt",
		doc:  "bytes of packets are flipped on the way",
		params: []declare.Param{
			{Name: "share", Kind: declare.Share, Default: "5%", Draw: []string{"2%", "5%", "10%"}, Min: "0.1%", Max: "100%",
				Doc: "how many packets are damaged"},
			{Name: "as", Kind: declare.Word, Default: nemesis.CorruptChecksum, Draw: []string{nemesis.CorruptChecksum, nemesis.CorruptPayload},
				Words: []string{nemesis.CorruptChecksum, nemesis.CorruptPayload},
				Doc:   "checksum: the packet's checksum tells of it; payload: the checksum is made right again, and the application gets flipped bytes"},
		},
		of: func(a declare.Args) nemesis.Shaping {
			return nemesis.Shaping{Corrupt: a.Float("share"), CorruptKind: a["as"]}
		},
		flow: manyDatagrams,
		claims: func(a declare.Args, n int) []claim {
			if a["as"] == nemesis.CorruptPayload {
				return []claim{share("arrived damaged", a.Float("share"), n, corrupted)}
			}
			// The receiving kernel throws away what its checksum does not fit.
			return []claim{share("lost to a wrong checksum", a.Float("share"), n, lost)}
		},
	}.fault()
	// Who relies on TCP alone takes changed bytes for what was sent, and keeps them.
	f.Drawn = []nemesis.DrawnNeed{{Param: "as", Value: nemesis.CorruptPayload, Need: nemesis.NeedIntegrity}}
	return f
}
