package linearizable

import "slices"

// sortGuarded sorts like slices.SortFunc, in pieces, so that it can be stopped:
// then it returns false, and the list is in some other order. Of a million events
// a sort takes most of a second. It is stable between pieces only.
func sortGuarded[T any](list []T, compare func(a, b T) int, g *guard) bool {
	const piece = 1 << 15
	for at := 0; at < len(list); at += piece {
		if g.stopped() {
			return false
		}
		slices.SortFunc(list[at:min(at+piece, len(list))], compare)
	}
	if len(list) <= piece {
		return true
	}
	from, to := list, make([]T, len(list))
	for size := piece; size < len(list); size *= 2 {
		for at := 0; at < len(list); at += 2 * size {
			mid, end := min(at+size, len(list)), min(at+2*size, len(list))
			if !mergeGuarded(to[at:end], from[at:mid], from[mid:end], compare, g) {
				return false
			}
		}
		from, to = to, from
	}
	if &from[0] != &list[0] {
		copy(list, from)
	}
	return true
}

// mergeGuarded merges two sorted lists into out.
func mergeGuarded[T any](out, a, b []T, compare func(a, b T) int, g *guard) bool {
	for i := range out {
		if i%guardEvery == 0 && g.stopped() {
			return false
		}
		if len(b) == 0 || len(a) > 0 && compare(a[0], b[0]) <= 0 {
			out[i], a = a[0], a[1:]
		} else {
			out[i], b = b[0], b[1:]
		}
	}
	return true
}
