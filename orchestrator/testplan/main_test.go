package testplan

import (
	"testing"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }
