from docs.errors_page import PAGE, page


def test_the_page_of_errors_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"
