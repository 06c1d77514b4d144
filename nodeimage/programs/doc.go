// Package programs builds static programs for machines with Go: those that come from
// modules which are fetched through the user's module proxy (Builder), and, with the
// same compiler and the same care, squall-node itself (package nodeimage).
package programs
