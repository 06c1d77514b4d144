package measure

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// The range and the exactness of a histogram of latencies: one microsecond to
// an hour, to three digits. All have the same, so that any two can be merged.
const (
	histogramLow    = int64(1)
	histogramHigh   = int64(time.Hour / time.Microsecond)
	histogramDigits = 3
)

// NewHistogram makes an empty histogram of latencies in µs, of the kind that
// FuncOps.Histogram holds: those that ReadHistogram returns merge into it
// without loss.
func NewHistogram() *hdr.Histogram { return hdr.New(histogramLow, histogramHigh, histogramDigits) }

// writeHistogram writes latencies (ns) as FuncOps.Histogram holds them. What
// lies outside the range counts as its nearest end.
func writeHistogram(ns []int64) string {
	if len(ns) == 0 {
		return ""
	}
	h := NewHistogram()
	for _, l := range ns {
		us := min(max((l+500)/1000, histogramLow), histogramHigh)
		_ = h.RecordValue(us) // in range, so there is no error
	}
	text, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		panic(err) // only a version that it does not know can fail
	}
	return string(text)
}

// A histogram with a count in each of its 23,552 places takes less than this,
// before it is unpacked and after.
const (
	maxHistogramText = 512 << 10
	maxHistogramData = 1 << 20
)

// ReadHistogram reads FuncOps.Histogram: latencies in µs. "" is an empty one.
// It is an error when text is not a histogram as this package writes it; text
// may come from anywhere, and takes no more than a few MB to read.
func ReadHistogram(text string) (h *hdr.Histogram, err error) {
	if text == "" {
		return NewHistogram(), nil
	}
	if err := vetHistogram(text); err != nil {
		return nil, fmt.Errorf("read a histogram of latencies: %w", err)
	}
	// The library trusts what it reads: counts behind its last place make it panic.
	defer func() {
		if p := recover(); p != nil {
			h, err = nil, fmt.Errorf("read a histogram of latencies: it is damaged: %v", p)
		}
	}()
	h, err = hdr.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read a histogram of latencies: %w", err)
	}
	total := int64(0)
	for _, count := range h.Export().Counts {
		if count < 0 || count > math.MaxInt64-total {
			return nil, errors.New("read a histogram of latencies: its counts are out of range")
		}
		total += count
	}
	return h, nil
}

// histogramHeader is how the data begin once they are unpacked.
type histogramHeader struct {
	Cookie, Payload, Offset, Digits int32
	Low, High                       int64
	Ratio                           float64
}

// vetHistogram looks at everything that decides how much memory it takes to
// read a histogram, before it is read.
func vetHistogram(text string) error {
	if len(text) > maxHistogramText {
		return fmt.Errorf("it has %d bytes, and no histogram has more than %d", len(text), maxHistogramText)
	}
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	const outer = 8 // the kind, and the length of what follows
	if len(packed) < outer {
		return fmt.Errorf("it ends after %d bytes", len(packed))
	}
	if n := int32(binary.BigEndian.Uint32(packed[4:])); n < 0 || int(n) > len(packed)-outer {
		return fmt.Errorf("it says that %d bytes follow, but there are %d", n, len(packed)-outer)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed[outer:]))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(z, maxHistogramData+1))
	if err != nil {
		return err
	}
	if len(data) > maxHistogramData {
		return fmt.Errorf("it unpacks to more than %d bytes", maxHistogramData)
	}
	var head histogramHeader
	if err := binary.Read(bytes.NewReader(data), binary.BigEndian, &head); err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	if head.Low != histogramLow || head.High != histogramHigh || head.Digits != histogramDigits {
		return fmt.Errorf("it is of %d to %d to %d digits, not of %d to %d µs to %d digits",
			head.Low, head.High, head.Digits, histogramLow, histogramHigh, histogramDigits)
	}
	return nil
}
