// Package nodeimage makes what machines run: it builds the one static program
// squall-node from this module's sources, or from those sources with a known
// bug put in (package mutants), and packs it into the file system of an image.
package nodeimage
