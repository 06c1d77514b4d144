// Package nodeimage makes what machines run: it takes the one static program
// squall-node that a released squall carries (package carried), or builds it
// from this module's sources, or from those sources with a known bug put in
// (package mutants), and packs it into the file system of an image.
package nodeimage
