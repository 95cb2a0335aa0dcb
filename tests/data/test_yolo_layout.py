"""Where YOLO exports of many tools have their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotation_files import write_picture

from focus_detr.data.annotations import Annotations
from focus_detr.data.formats import detect_format, read_annotations
from focus_detr.data.yolo import read_yolo
from focus_detr.errors import FocusDetrError

LINE = "0 .5 .5 .5 .5\n"


def put(root: Path, *names: str) -> Path:
    """Pictures, and label files with one box."""
    for name in names:
        if name.lower().endswith(".txt"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(LINE)
        else:
            write_picture(root / name, (20, 30))
    return root


def boxes(read: Annotations) -> dict[str, int]:
    """Boxes by the picture's place."""
    count = {image.image_id: 0 for image in read.images}
    for box in read.boxes:
        count[box.image_id] += 1
    return {image.path.name: count[image.image_id] for image in read.images}


def write_yaml(root: Path, text: str) -> Path:
    (root / "data.yaml").write_text(f"{text}\nnames: {{'0': cat}}\n")
    return root / "data.yaml"


@pytest.mark.parametrize("source", ["", "obj.data", "train.txt"])
def test_the_export_of_cvat(tmp_path: Path, source: str) -> None:
    root = put(tmp_path, "obj_train_data/p1.jpg", "obj_train_data/p1.txt", "obj_train_data/p2.jpg")
    (root / "obj.names").write_text("cat\n")
    text = 'classes = 1\n# train = old.txt\ntrain = data/train.txt\nnames = "data/obj.names"\n'
    (root / "obj.data").write_text(text)
    (root / "train.txt").write_text("data/obj_train_data/p1.jpg\ndata/obj_train_data/p2.jpg\n")
    assert detect_format(root / source) == "yolo"
    assert boxes(read_annotations(root / source)) == {"p1.jpg": 1, "p2.jpg": 0}
    if source != "train.txt":
        (root / "obj.names").write_text("cat\ndog\n")
        with pytest.raises(FocusDetrError, match=r"'classes' is '1', but .*names has 2 classes"):
            read_annotations(root / source)
        (root / "obj.names").write_text("cat\n")
        with pytest.raises(FocusDetrError, match=r"obj\.data has no 'val' or no 'names'"):
            read_annotations(root / source, split="val")


@pytest.mark.parametrize(
    "line",
    [
        ".\\images\\train\\p1.jpg",
        "C:\\Users\\me\\set\\images\\train\\p1.jpg",
        "/home/me/set/images/train/p1.jpg",
        "file:///home/me/set/images/train/p1.jpg",
        "./images/train/p1.jpg\r",
        "images/train/P1.JPG",
        "data\\images\\train\\P1.JPG",
        "# made by a tool\n\nimages/train/p1.jpg",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_of_other_machines(tmp_path: Path, line: str, encoding: str) -> None:
    root = put(tmp_path, "images/train/p1.jpg", "labels/train/p1.txt")
    for name, text in (("train.txt", line), ("classes.txt", "cat\r\n")):
        (root / name).write_bytes(text.encode(encoding))
    assert boxes(read_annotations(root / "train.txt")) == {"p1.jpg": 1}


@pytest.mark.parametrize("home", ["~/my sets", r"~\my sets", "~/my%20sets"])
def test_a_home_folder_in_obj_data_and_its_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = put(tmp_path / "my sets", "far/p 1.jpg", "far/p 1.txt", "far/~p2.jpg")
    (root / "lists").mkdir()
    (root / "lists" / "t.txt").write_text(f"{home}/far/p 1.jpg\n{home}/far/~p2.jpg\n")
    (root / "lists" / "o.names").write_text("cat\n")
    source = tmp_path / "obj.data"
    source.write_text(f"train = {home}/lists/t.txt\nnames = {home}/lists/o.names\n")
    assert boxes(read_annotations(source)) == {"p 1.jpg": 1, "~p2.jpg": 0}


def test_a_list_that_leads_nowhere_says_what_to_do(tmp_path: Path) -> None:
    root = put(tmp_path, "photos/p1.jpg", "photos/p1.txt")
    (root / "train.txt").write_text("elsewhere/p1.jpg\n")
    (root / "classes.txt").write_text("cat\n")
    with pytest.raises(FocusDetrError, match=r"none of the pictures .* set data\.train_images"):
        read_annotations(root / "train.txt")
    (root / "train.txt").write_text("p1.jpg\n")
    assert boxes(read_annotations(root / "train.txt", root / "photos")) == {"p1.jpg": 1}


@pytest.mark.parametrize(
    "text",
    [
        "train: images/train",
        "path: .\ntrain: images/train",
        "path: ../datasets/mine\ntrain: images/train",
        "path: /home/me/mine\ntrain: images/train",
        "train: /home/me/mine/images/train",
        "train: ../images/train",
        "train: C:\\mine\\images\\train",
        "train: images\\train",
        "train: [images/train]",
        "train: train.txt",
    ],
)
def test_places_in_a_yaml(tmp_path: Path, text: str) -> None:
    root = put(tmp_path, "images/train/p1.jpg", "labels/train/p1.txt", "images/val/p2.jpg")
    (root / "train.txt").write_text("./images/train/p1.jpg\n")
    assert boxes(read_yolo(write_yaml(root, text), None)) == {"p1.jpg": 1}


@pytest.mark.parametrize("listed", [False, True])
def test_names_of_label_files(
    tmp_path: Path, listed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A list and a folder are read alike."""
    pictures = ("a.jpg", "a.png", "b.JPG", "c.jpg", "d.png", "e.jpg", "e.png", "f g.jpg", "B.jpg")
    labels = ("a.txt", "b.TXT", "c.jpg.txt", "._d.txt", ".ipynb_checkpoints/d.txt", "f%20g.txt")
    root = put(
        tmp_path,
        *(f"images/images/{name}" for name in (*pictures, "._a.jpg", "@eaDir/a.jpg")),
        *(f"images/labels/{name}" for name in labels),
    )
    lines = "".join(f"images/images/{name}\n" for name in pictures)
    (root / "list.txt").write_text(lines)
    read = read_yolo(write_yaml(root, f"train: {'list.txt' if listed else 'images/images'}"), None)
    names = ("a.jpg", "b.JPG", "c.jpg", "f g.jpg")  # B.jpg is another one
    expected = {name: int(name in names) for name in pictures if name != "a.png"}
    assert boxes(read) == expected
    assert "left out 1 picture whose label file belongs to another picture" in caplog.text


def test_of_two_pictures_of_a_label_file_the_listed_one_counts(tmp_path: Path) -> None:
    root = put(tmp_path, "images/a.jpg", "images/a.png", "images/B.jpg", "images/b.jpg")
    put(root, "labels/a.txt", "labels/B.txt")
    (root / "list.txt").write_text("images/a.png\nimages/b.jpg\n")
    read = read_yolo(write_yaml(root, "train: list.txt"), None)
    assert boxes(read) == {"a.png": 1, "b.jpg": 0}  # B.txt is of B.jpg, which is not listed


def test_a_second_label_file_in_other_letters_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = put(tmp_path, "images/a.jpg", "labels/a.TXT", "labels/a.txt")
    (root / "labels" / "a.txt").write_text("")
    assert boxes(read_yolo(write_yaml(root, "train: images"), None)) == {"a.jpg": 0}
    assert "left out 1 label file beside another of the same name" in caplog.text


def test_a_picture_that_is_not_there_takes_no_label_file(tmp_path: Path) -> None:
    root = put(tmp_path, "images/a.jpg", "images/b.jpg", "labels/a.txt")
    (root / "list.txt").write_text("images/a.jpg\nimages/A.png\nimages/a.bmp\nimages/b.jpg\n")
    read = read_yolo(write_yaml(root, "train: list.txt"), None)
    assert boxes(read) == {"a.jpg": 1, "b.jpg": 0}


def test_another_order_of_names_beside_the_labels_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = put(tmp_path, "images/a.jpg", "labels/a.txt")
    source = write_yaml(root, "train: images")
    (root / "labels" / "classes.txt").write_text("dog\ncat\n")
    assert read_yolo(source, None).classes.names[0] == "cat"
    assert "labels/classes.txt number the classes differently; the first one counts" in caplog.text


@pytest.mark.parametrize("listed", [False, True])
def test_labels_beside_the_pictures_in_a_folder_called_images(tmp_path: Path, listed: bool) -> None:
    root = put(tmp_path, "images/in/p1.jpg", "images/in/p1.txt")
    (root / "list.txt").write_text("images/in/p1.jpg\n")
    read = read_yolo(write_yaml(root, f"train: {'list.txt' if listed else 'images'}"), None)
    assert boxes(read) == {"p1.jpg": 1}


@pytest.mark.parametrize("listed", [False, True])
def test_label_files_are_in_one_folder_or_in_the_other(tmp_path: Path, listed: bool) -> None:
    root = put(tmp_path, "images/a.jpg", "images/a.txt", "images/b.jpg")
    (root / "labels").mkdir()  # as some tool made it
    (root / "labels" / "classes.txt").write_text("cat\n")
    (root / "list.txt").write_text("images/a.jpg\nimages/b.jpg\n")
    source = write_yaml(root, f"train: {'list.txt' if listed else 'images'}")
    assert boxes(read_yolo(source, None)) == {"a.jpg": 1, "b.jpg": 0}
    put(root, "labels/b.txt")
    assert boxes(read_yolo(source, None)) == {"a.jpg": 0, "b.jpg": 1}


def test_texts_beside_a_data_yaml_do_not_hide_what_it_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in Roboflow's exports: all of their parts would become one."""
    root = put(tmp_path, "train/images/a.jpg", "train/labels/a.txt", "README.roboflow.txt")
    put(root, "valid/images/b.jpg", "valid/labels/b.txt", "notes.txt")
    write_yaml(root, "train: ../train/images\nval: ../valid/images")
    assert boxes(read_annotations(root)) == {"a.jpg": 1}
    assert boxes(read_annotations(root, split="val")) == {"b.jpg": 1}
    assert not caplog.text


def test_a_data_yaml_beside_label_files_may_only_have_names(tmp_path: Path) -> None:
    root = put(tmp_path, "a.jpg", "a.txt", "b.jpg")
    for text in ("", "train: ../gone/images"):
        write_yaml(root, text)
        assert boxes(read_annotations(root)) == {"a.jpg": 1, "b.jpg": 0}
    write_yaml(root, "train: .")
    with pytest.raises(FocusDetrError, match=r"data\.yaml: 'val' must be a folder of pictures"):
        read_annotations(root, split="val")


def test_a_data_yaml_above_labels_may_only_have_names(tmp_path: Path) -> None:
    root = put(tmp_path, "images/a.jpg", "labels/a.txt", "images/b.jpg")
    write_yaml(root, "")
    assert boxes(read_annotations(root)) == {"a.jpg": 1, "b.jpg": 0}


def test_keys_of_a_data_yaml_may_be_in_another_style(tmp_path: Path) -> None:
    root = put(tmp_path, "in/images/p1.jpg", "in/labels/p1.txt")
    (root / "data.yaml").write_text("Path: in\nTrain: images\nvalidation: images\nNames: [cat]\n")
    for split in ("train", "val"):
        assert boxes(read_annotations(root / "data.yaml", split=split)) == {"p1.jpg": 1}
    (root / "data.yaml").write_text("train: in/images\nNC: 2\nNames: [cat]\n")
    with pytest.raises(FocusDetrError, match="'nc' is 2, but 'names' has 1 class"):
        read_annotations(root / "data.yaml")


@pytest.mark.parametrize("name", ["_darknet.labels", "Classes.txt"])
def test_names_beside_pictures_and_labels(tmp_path: Path, name: str) -> None:
    root = put(tmp_path, "p1.jpg", "p1.txt")
    (root / name).write_text("cat\n")
    assert boxes(read_annotations(root)) == {"p1.jpg": 1}


def test_key_points_of_a_set(tmp_path: Path) -> None:
    root = put(tmp_path, "images/p1.jpg")
    (root / "labels").mkdir()
    (root / "labels" / "p1.txt").write_text("0 .5 .5 .2 .4 .45 .4 .55 .6 .5 .5\n")
    path = write_yaml(root, "train: images\nkpt_shape: [3, 2]")
    for source in (path, root, root / "labels"):
        assert read_yolo(source, None).boxes[0].box == pytest.approx((12, 6, 6, 8))
    with pytest.raises(FocusDetrError, match=r"data\.yaml: 'kpt_shape' must be"):
        read_yolo(write_yaml(root, "train: images\nkpt_shape: [3, 5]"), None)
    with pytest.raises(FocusDetrError, match=r"11 numbers can be an outline or a box with key"):
        read_yolo(write_yaml(root, "train: images"), None)
    read = read_yolo(write_yaml(root, "train: images\nkpt_shape: null"), None)
    assert read.boxes[0].box == pytest.approx((6, 8, 10.5, 4))
