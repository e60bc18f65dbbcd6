"""Source code to parts: which lines are which function, in languages that people use."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.declarations import LANGUAGES
from knowledge.outline import outline_of

PYTHON = '''"""A module."""
import os

# About both.
@cached
def first(a: int) -> str:
    """Say it."""
    def inner() -> None: ...
    return """
class NotThis:
"""


class Shelf:
    size = 3

    async def put(self) -> None:
        pass

    class Row:
        def get(self): return 1
x = 1
'''
TYPESCRIPT = """import x from "y";

/**
 * A store.
 */
export class Store<T> extends Base {
  private items: T[] = [];

  constructor(private a: string) {
    super();
  }

  /** Gets it. */
  async get(id: string): Promise<T> {
    for (const x of y) {
      await z(`a ${x}
class No {
`);
    }
    return this.items[0];
  }
}

export const useThing = (a: number) => {
  return a;
};
"""
JAVA = """package a;

/** Doc. */
@Entity
public class Foo extends Bar {
    @Override
    public Map<String, Integer> go(int a,
                      int b) throws IOException {
        if (a) { return null; }
        return foo(a);
    }

    public Foo(int a) {
        this.a = a;
    }
}
"""
C = """#include <a.h>

/* Adds. */
static int
add(int a, int b)
{
#ifdef X
    return 1;
#endif
out:
    return a + b;
}

int main(int argc, char **argv) {
    add(1, 2);
    return 0;
}
int proto(int a);
"""
GO = """package x

// Handle answers.
func (s *Server) Handle(w http.ResponseWriter) error {
	x := `raw
func no() {
`
	return nil
}

type Config struct {
	A int
}
"""
RUST = """/// A point.
#[derive(Debug)]
pub struct Point {
    x: i32,
}

impl<T> Display for Point<T> {
    pub fn fmt(&self) -> Result {
        Ok(())
    }
}
"""
RUBY = """module A
  class B < C
    # Says.
    def say(x)
      if x
        1
      else
        2
      end
    end

    def self.z
      y
    end
  end
end
"""
BASH = """#!/bin/bash
set -e
hi() {
  cat <<EOF
no() {
EOF
}
function there {
  echo
}
"""
SQL = """-- people
CREATE TABLE IF NOT EXISTS people (
  id int
);

CREATE OR REPLACE FUNCTION f() RETURNS int AS $$
BEGIN
  CREATE TABLE x (a int);
END;
$$ LANGUAGE plpgsql;
"""
YAML = """version: "3"
services:
  web:
    image: x
    ports:
      - "80"
  db:
    image: pg
volumes:
- a
"""
CSHARP = """namespace X
{
    public class Foo : IBar
    {
        [Fact]
        public async Task<int> GoAsync(string a)
        {
            return 1;
        }
    }
}
"""
PHP = """<?php
class A {
    /** Doc. */
    public function go($a) {
        return 1;
    }
}
"""
KOTLIN = """class B {
    companion object {
        fun make(): B = B()
    }
    suspend fun go(a: Int) {
        run()
    }
}
"""
MAKE = """A := b

# builds
build: deps
	go build

test:
	pytest
"""
JSON = """{
  "name": "x",
  "scripts": {
    "build": "tsc",
    "test": "jest"
  }
}
"""


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "python",
            PYTHON,
            [
                "1-3",
                "4-13 first",
                "14-16 Shelf",
                "17-19 Shelf > put",
                "20 Shelf > Row",
                "21 Shelf > Row > get",
                "22-23",
            ],
        ),
        (
            "typescript",
            TYPESCRIPT,
            ["1-2", "3-8 Store", "9-12 Store > constructor", "13-23 Store > get", "24-27 useThing"],
        ),
        ("java", JAVA, ["1-2", "3-5 Foo", "6-12 Foo > go", "13-17 Foo > Foo"]),
        ("c", C, ["1-2", "3-13 add", "14-17 main", "18-19"]),
        ("go", GO, ["1-2", "3-10 Server.Handle", "11-14 Config"]),
        ("rust", RUST, ["1-6 Point", "7 impl<T> Display for Point<T>", "8-12 impl<T> Display for Point<T> > fmt"]),
        ("ruby", RUBY, ["1 A", "2 A > B", "3-11 A > B > say", "12-14 A > B > self.z", "15 A > B", "16-17 A"]),
        ("bash", BASH, ["1-2", "3-7 hi", "8-11 there"]),
        ("sql", SQL, ["1-5 people", "6-11 f"]),
        ("yaml", YAML, ["1 version", "2 services", "3-6 services > web", "7-8 services > db", "9-11 volumes"]),
        ("csharp", CSHARP, ["1-2 X", "3-4 X > Foo", "5-12 X > Foo > GoAsync"]),
        ("php", PHP, ["1", "2 A", "3-8 A > go"]),
        ("kotlin", KOTLIN, ["1 B", "2 B > companion object", "3-4 B > companion object > make", "5-9 B > go"]),
        ("make", MAKE, ["1-2", "3-6 build", "7-9 test"]),
        ("json", JSON, ["2 name", "3 scripts", "4 scripts > build", "5-8 scripts > test"]),
    ],
)
def test_each_function_is_a_part(language: str, text: str, expected: list[str]) -> None:
    found = []
    for part in outline_of(text, language):
        lines = f"{part.first}-{part.last}" if part.last > part.first else str(part.first)
        found.append(" ".join([lines, " > ".join(part.path)]).strip())
    assert found == expected


def test_python_of_another_version_is_read_by_rule() -> None:
    parts = outline_of("def old(a):\n    print a\n\nclass Thing:\n    def go(self):\n        exec a\n", "python")
    assert [part.path for part in parts] == [("old",), ("Thing",), ("Thing", "go")]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_is_read_and_loses_no_line(language: str) -> None:
    text = "\n".join(f"{'    ' * (number % 3)}word{number} (x) {{ 'a' }}" for number in range(40))
    covered = [line for part in outline_of(text, language) for line in range(part.first, part.last + 1)]
    assert covered == list(range(1, 41))


def test_every_line_of_this_project_is_in_exactly_one_part() -> None:
    for file in sorted((Path(__file__).parents[2] / "knowledge").glob("*.py")):
        text = file.read_text()
        lines = text.split("\n")
        covered = [line for part in outline_of(text, "python") for line in range(part.first, part.last + 1)]
        assert covered == sorted(set(covered))
        assert all(not lines[line - 1].strip() for line in set(range(1, len(lines) + 1)) - set(covered))
