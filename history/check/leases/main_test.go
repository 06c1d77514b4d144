package leases

import (
	"testing"

	"squall/history/check/checktest"
)

func TestMain(m *testing.M) { checktest.Main(m) }
