package measure

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

func TestHistogramsMerge(t *testing.T) {
	all := NewHistogram()
	for _, ns := range [][]int64{{1e6, 2e6, 3e6}, {0, 5e9, 2 * int64(time.Hour)}, nil} {
		h, err := ReadHistogram(writeHistogram(ns))
		if err != nil {
			t.Fatal(err)
		}
		if dropped := all.Merge(h); dropped != 0 {
			t.Errorf("%d of %v were dropped", dropped, ns)
		}
	}
	if all.TotalCount() != 6 || all.Min() != 1 || all.Max() < int64(time.Hour/time.Microsecond) || all.ValueAtPercentile(50) != 2000 {
		t.Errorf("count %d, min %d, max %d, median %d", all.TotalCount(), all.Min(), all.Max(), all.ValueAtPercentile(50))
	}
}

// packed is a histogram's text with data of one's own.
func packed(data []byte) string {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(data)
	w.Close()
	head := binary.BigEndian.AppendUint32(nil, uint32(hdr.V2CompressedEncodingCookieBase|0x10))
	head = binary.BigEndian.AppendUint32(head, uint32(z.Len()))
	return base64.StdEncoding.EncodeToString(append(head, z.Bytes()...))
}

func header(h histogramHeader, counts ...byte) []byte {
	h.Payload = int32(len(counts))
	data, _ := binary.Append(nil, binary.BigEndian, h)
	return append(data, counts...)
}

func TestHostileHistograms(t *testing.T) {
	good := histogramHeader{Cookie: hdr.V2EncodingCookieBase | 0x10, Digits: histogramDigits, Low: histogramLow, High: histogramHigh, Ratio: 1}
	huge, odd := good, good
	huge.High, odd.Cookie = 1<<62, 7
	if h, err := ReadHistogram(packed(header(good, 2, 4))); err != nil || h.TotalCount() != 3 {
		t.Fatalf("an honest one: %v, %v", h, err)
	}
	most := bytes.Repeat([]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 9)
	for name, text := range map[string]string{
		"no base64":        "?!",
		"too short":        "AAAA",
		"not compressed":   base64.StdEncoding.EncodeToString(make([]byte, 100)),
		"a length below 0": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 100)),
		"too long":         strings.Repeat("A", maxHistogramText+4),
		"a bomb":           packed(make([]byte, 8<<20)),
		"no header":        packed([]byte("short")),
		"another range":    packed(header(huge, 2)),
		"another kind":     packed(header(odd, 2)),
		"behind the end":   packed(header(good, 0xff, 0xff, 0xff, 0x7f, 2)),
		"far behind it":    packed(header(good, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2)),
		"cut in a count":   packed(header(good, 0x80)),
		"endless counts":   packed(header(good, most...)),
	} {
		if h, err := ReadHistogram(text); err == nil {
			t.Errorf("%s was read: %d values", name, h.TotalCount())
		}
	}
}
