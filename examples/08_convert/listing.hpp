// What is in a file, as a table.
#pragma once

#include <gradus/gradus.hpp>

/// A line for every tensor (dtype, shape, smallest, mean and largest of the elements that are not NaN, count of those
/// that are), for every number, string and object of Python, and for the metadata; then the totals.
void print_listing(const gradus::Value& content, const gradus::Metadata& metadata);
