// Command kiota reads pages with the deserialiser of Microsoft's SDK into its
// models, and prints how many nanoseconds of processor time that took.
//
//	kiota users|sign_ins PAGE...
package main

import (
	"fmt"
	"log"
	"os"
	"syscall"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
)

func main() {
	log.SetFlags(0)
	var pages [][]byte
	for _, file := range os.Args[2:] {
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal("kiota: ", err)
		}
		pages = append(pages, text)
	}
	before := processor()
	for _, text := range pages {
		if err := read(os.Args[1], text); err != nil {
			log.Fatal("kiota: ", err)
		}
	}
	fmt.Println(processor() - before)
}

// read makes objects of one page.
func read(kind string, text []byte) error {
	node, err := jsonserialization.NewJsonParseNode(text)
	if err != nil {
		return err
	}
	var factory serialization.ParsableFactory = models.CreateUserCollectionResponseFromDiscriminatorValue
	if kind == "sign_ins" {
		factory = models.CreateSignInCollectionResponseFromDiscriminatorValue
	}
	object, err := node.GetObjectValue(factory)
	if err != nil {
		return err
	}
	rows := 0
	switch page := object.(type) {
	case models.UserCollectionResponseable:
		rows = len(page.GetValue())
	case models.SignInCollectionResponseable:
		rows = len(page.GetValue())
	}
	if rows == 0 {
		return fmt.Errorf("a page of %s has no rows", kind)
	}
	return nil
}

// processor is the nanoseconds this process has had on a processor.
func processor() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal("kiota: ", err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
