"""Names of classes as Python packages publish them."""

import ast


def published_list(source: str, name: str) -> list[str]:
    """Returns a list of names from Python source, without running it.

    Args:
      source: Python source.
      name: a variable of the module, or a function that only returns the list.

    Raises:
      LookupError: there is no such variable or function.
      ValueError: its value is not a literal.
    """
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return [str(value).strip() for value in ast.literal_eval(statement.value)]
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            return [str(value).strip() for value in ast.literal_eval(statement.body[-1].value)]
    raise LookupError(f"no {name}")
