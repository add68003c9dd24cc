# Reads an lcov report and prints the line coverage of the core, of the adapters
# and of the module `testing`, which users' tests need and the library does not:
# lines that were executed, of those with code, without the unit tests at the end
# of a file. Fails below the bounds `core` and `adapters`, in percent.
#
#   awk -v core=97 -v adapters=92 -f .ci/coverage.awk REPORT

# The line at which the unit tests of a file begin.
function tests_begin(file,    line, number, attribute) {
    number = 0
    attribute = 0
    while ((getline line < file) > 0) {
        number++
        if (attribute && line ~ /^mod tests \{/) {
            close(file)
            return number
        }
        attribute = line == "#[cfg(test)]"
    }
    close(file)
    return number + 1
}

function part_of(file) {
    if (file ~ /^src\/adapter\//)
        return "adapters"
    return file ~ /^src\/testing/ ? "testing" : "core"
}

function print_row(name, covered, lines) {
    printf "%-40s %6d %6d %7.2f %%\n", name, covered, lines, lines ? 100 * covered / lines : 0
}

function below(part, bound) {
    if (100 * covered[part] >= bound * lines[part] && lines[part] > 0)
        return 0
    printf "%s: below %s %%\n", part, bound
    return 1
}

/^SF:/ {
    path = substr($0, 4)
    file = path
    sub(/^.*\/src\//, "src/", file)
    part = part_of(file)
    end = tests_begin(path)
    files[++count] = file
}

/^DA:/ {
    split(substr($0, 4), line, ",")
    if (line[1] + 0 >= end)
        next
    lines[part]++
    file_lines[file]++
    if (line[2] + 0 > 0) {
        covered[part]++
        file_covered[file]++
    } else {
        missed[file] = missed[file] " " line[1]
    }
}

END {
    printf "%-40s %6s %6s %9s\n", "file", "run", "lines", "coverage"
    for (i = 1; i <= count; i++) {
        file = files[i]
        print_row(file, file_covered[file], file_lines[file])
        if (missed[file] != "")
            printf "    not run:%s\n", missed[file]
    }
    print ""
    print_row("core", covered["core"], lines["core"])
    print_row("adapters", covered["adapters"], lines["adapters"])
    print_row("testing", covered["testing"], lines["testing"])
    exit below("core", core) + below("adapters", adapters) > 0
}
