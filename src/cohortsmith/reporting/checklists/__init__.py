"""What reporting guidelines ask of a study, and which of it a run can answer by itself."""
