package systems

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestUnknownErrorsAreUncertain(t *testing.T) {
	if Certain(errors.New("odd")) || Lost(errors.New("odd")) || Certain(nil) {
		t.Error("nothing is certain of an error that is not known")
	}
	if !Certain(fmt.Errorf("wrapped: %w", &Error{Certain: true, Err: io.EOF})) {
		t.Error("a wrapped error lost its certainty")
	}
}
