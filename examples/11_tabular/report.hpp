// What is told of the table and of the result.
#pragma once

#include "features.hpp"

/// "150 rows, 5 columns: 4 of numbers, 1 of text; missing values: 0", and the columns one by one.
void print_table(const gradus::Table& table);

/// Accuracy beside that of the class most frequent in training, and which class was taken for which.
void print_classes(const Target& target, const gradus::Tensor& training, const gradus::Tensor& truth,
                   const gradus::Tensor& predicted);

/// RMSE, MAE and R² beside those of the mean of the training rows.
void print_numbers(const gradus::Tensor& training, const gradus::Tensor& truth, const gradus::Tensor& predicted);

/// A line of CSV for every row: the prediction, and of a class how probable it is.
std::string predictions_as_csv(const Target& target, const gradus::Tensor& outputs);
