package disk

import "slices"

// span is bytes at an offset.
type span struct {
	at   int64
	data []byte
}

func (s span) end() int64 { return s.at + int64(len(s.data)) }

// spans are bytes of a file, in order and without overlap. Where there is none
// the file has zeros.
type spans []span

// put lays data over what is there, and keeps it.
func (s *spans) put(at int64, data []byte) {
	if len(data) == 0 {
		return
	}
	s.cut(at, at+int64(len(data)))
	i := s.from(at)
	if i > 0 && (*s)[i-1].end() == at { // appended: a log is one span, not one for each record
		(*s)[i-1].data = append((*s)[i-1].data, data...)
		return
	}
	*s = slices.Insert(*s, i, span{at, slices.Clip(data)})
}

// cut removes the bytes from one offset to before another.
func (s *spans) cut(from, to int64) {
	if from >= to {
		return
	}
	i := s.from(from)
	if i > 0 && (*s)[i-1].end() > from {
		left := &(*s)[i-1]
		right := span{to, nil}
		if left.end() > to {
			right.data = left.data[to-left.at:]
		}
		left.data = slices.Clip(left.data[:from-left.at]) // or to append to it would overwrite right
		if right.data != nil {
			*s = slices.Insert(*s, i, right)
			return
		}
	}
	j := i
	for j < len(*s) && (*s)[j].end() <= to {
		j++
	}
	if j < len(*s) && (*s)[j].at < to {
		last := &(*s)[j]
		last.data = last.data[to-last.at:]
		last.at = to
	}
	*s = slices.Delete(*s, i, j)
}

// from is the index of the first span that begins at or after an offset.
func (s spans) from(at int64) int {
	i, _ := slices.BinarySearchFunc(s, at, func(one span, at int64) int {
		switch {
		case one.at < at:
			return -1
		case one.at > at:
			return 1
		}
		return 0
	})
	return i
}

// read fills p with the bytes at an offset.
func (s spans) read(at int64, p []byte) {
	clear(p)
	i := s.from(at)
	if i > 0 && s[i-1].end() > at {
		i--
	}
	for end := at + int64(len(p)); i < len(s) && s[i].at < end; i++ {
		one := s[i]
		if one.at >= at {
			copy(p[one.at-at:], one.data)
		} else {
			copy(p, one.data[at-one.at:])
		}
	}
}

// clone is a copy that shares bytes, which neither of the two changes.
func (s spans) clone() spans {
	c := slices.Clone(s)
	for i := range c {
		c[i].data = slices.Clip(c[i].data)
	}
	return c
}

func (s spans) bytes() (n int64) {
	for _, one := range s {
		n += int64(len(one.data))
	}
	return n
}

// Range is the bytes of a file from From to before To.
type Range struct{ From, To int64 }

func (r Range) empty() bool { return r.From >= r.To }

// Bytes is how long it is.
func (r Range) Bytes() int64 { return max(0, r.To-r.From) }

// ranges are in order, and do not touch.
type ranges []Range

func (rs *ranges) add(r Range) {
	if r.empty() {
		return
	}
	i := 0
	for i < len(*rs) && (*rs)[i].To < r.From {
		i++
	}
	j := i
	for j < len(*rs) && (*rs)[j].From <= r.To {
		r = Range{min(r.From, (*rs)[j].From), max(r.To, (*rs)[j].To)}
		j++
	}
	*rs = slices.Replace(*rs, i, j, r)
}

// without is what of r is in none of them.
func (rs ranges) without(r Range) (rest []Range) {
	for _, one := range rs {
		if one.From >= r.To {
			break
		}
		if one.To <= r.From {
			continue
		}
		if left := (Range{r.From, one.From}); !left.empty() {
			rest = append(rest, left)
		}
		r.From = one.To
	}
	if !r.empty() {
		rest = append(rest, r)
	}
	return rest
}
