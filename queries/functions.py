"""What a user's SQL may call, and how large the value can become that each function makes.

The list is explicit: what is not here is refused. Nothing on it reads files, settings, the catalogue, the
environment or variables, writes, waits, or raises errors of its own making. docs/sql.md shows the same list.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Size = Literal["small", "part", "sum", "wide", "many"]
"""A number or the like · no larger than the largest argument · than all arguments together · than eight times
that (escapes, digits) · values of many rows."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SCALARS: Final[Mapping[Size, str]] = {
    "small": """
        + - * / // % ** ^ & | << >> ~ ! @ <@ @> && ^@ ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape
        ilike_escape not_ilike_escape abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil
        ceiling cos cosh cot degrees divide even exp fdiv floor fmod gcd greatest_common_divisor isfinite
        isinf isnan lcm least_common_multiple ln log log10 log2 mod multiply nextafter pi pow power radians
        random round round_even sign signbit sin sinh sqrt subtract tan tanh trunc xor length len strlen
        char_length character_length bit_length octet_length length_grapheme ascii ord unicode contains
        starts_with prefix suffix ends_with instr position strpos chr hash md5 md5_number sha1 sha256
        regexp_matches regexp_full_match uuid gen_random_uuid uuidv4 uuidv7 typeof format_bytes
        formatreadablesize formatreadabledecimalsize ago age century current_date current_localtime
        current_localtimestamp date_add date_diff date_part date_sub date_trunc datediff datepart datesub
        datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns
        epoch_us era get_current_time get_current_timestamp hour isodow isoyear julian last_day make_date
        make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium
        millisecond minute month monthname nanosecond now quarter second strptime time_bucket timezone
        timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds
        to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today
        transaction_timestamp try_strptime week weekday weekofyear year yearweek json_array_length
        json_contains json_exists json_type json_valid array_contains array_has array_has_all array_has_any
        array_indexof array_length array_position list_contains list_has list_has_all list_has_any
        list_indexof list_position list_unique array_unique list_count list_sum list_avg list_product
        list_median list_stddev_pop list_stddev_samp list_var_pop list_var_samp list_approx_count_distinct
        list_bool_and list_bool_or list_entropy cardinality map_contains
    """,
    "part": """
        -> ->> greatest least if ifnull nullif coalesce lower lcase upper ucase left right left_grapheme
        right_grapheme substr substring substring_grapheme trim ltrim rtrim reverse split_part strip_accents
        nfc_normalize translate regexp_extract unhex from_hex from_base64 unbin from_binary encode decode
        url_decode json json_extract json_extract_path json_extract_path_text json_extract_string json_value
        json_structure json_normalize json_strip_nulls array_extract list_extract list_element element_at
        map_extract map_extract_value struct_extract struct_extract_at array_slice list_slice list_sort
        array_sort list_reverse array_reverse list_reverse_sort array_reverse_sort list_distinct
        array_distinct list_max list_min list_first list_last list_any_value list_mode list_where
        array_where flatten list_intersect array_intersect list_string_agg array_to_string array_pop_back
        array_pop_front map_keys map_values map_entries unnest
    """,
    "sum": """
        || concat concat_ws list_value list_pack array_value struct_pack row struct_concat struct_insert
        list_concat list_cat array_concat array_cat list_append array_append array_push_back list_prepend
        array_prepend array_push_front list_zip array_zip map map_concat map_from_entries json_merge_patch
        overlay
    """,
    "wide": """
        to_json json_object json_array array_to_json row_to_json json_quote json_keys json_pretty
        json_transform from_json hex to_hex bin to_binary to_base64 base64 url_encode regexp_escape
        string_split str_split split string_to_array json_group_structure list_grade_up
    """,
}
_AGGREGATES: Final[Mapping[Size, str]] = {
    "small": """
        count count_star count_if countif sum avg mean fsum kahan_sum sumkahan favg product sum_no_overflow
        approx_count_distinct bit_and bit_or bit_xor bool_and bool_or corr covar_pop covar_samp entropy
        kurtosis kurtosis_pop skewness mad sem stddev stddev_pop stddev_samp var_pop var_samp variance
        regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy geomean
        geometric_mean wavg weighted_avg
    """,
    "part": """
        any_value arbitrary first last min max arg_max arg_min argmax argmin max_by min_by arg_max_null
        arg_min_null mode median quantile quantile_cont quantile_disc approx_quantile reservoir_quantile
    """,
    "many": """
        list array_agg string_agg listagg group_concat histogram approx_top_k json_group_array
        json_group_object
    """,
}
WINDOWS: Final = _names(
    """
    cume_dist dense_rank first first_value lag last last_value lead nth_value ntile percent_rank rank
    rank_dense row_number
    """
)
"""Window functions; each aggregate is one, too."""
TABLES: Final = _names(
    """
    generate_series json_each range unnest
    """
)
"""Table functions. They make rows as they are asked for, so the timer bounds them."""
LISTED: Final = _names(
    """
    array_apply array_filter array_transform list_apply list_filter list_transform
    """
)
"""They run a lambda on each element."""
MADE: Final = _names(
    """
    generate_series lpad range regexp_extract_all regexp_replace regexp_split_to_array repeat replace rpad
    str_split_regex strftime string_split_regex
    """
)
"""They make values of any size from small ones; queries/growth.py has a rule for each."""
PATTERNS: Final = _names(
    """
    regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array
    str_split_regex string_split_regex
    """
)
"""The second argument is a regular expression, which must be a constant."""
TYPES: Final = _names(
    """
    bigint binary blob bool boolean bpchar bytea char date datetime dec decimal double float float4 float8
    hugeint int int1 int128 int16 int2 int32 int4 int64 int8 integer interval json list logical long map
    null numeric nvarchar real row short signed smallint string struct text time timestamp timestamp_ms
    timestamp_ns timestamp_s timestamp_us timestamptz tinyint ubigint uhugeint uint128 uint16 uint32 uint64
    uint8 uinteger usmallint utinyint uuid varbinary varchar
    """
) | {"timestamp with time zone"}
"""Types to cast to. Not among them: enums and fixed arrays (each value as large as its type says), and what
no answer could carry."""
SESSION_WORDS: Final = _names(
    """
    current_catalog current_role current_schema current_user session_user user
    """
)
"""Words that the engine takes for functions where no column has the name."""


def _by_name(groups: Mapping[Size, str]) -> Mapping[str, Size]:
    return MappingProxyType({name: size for size, names in groups.items() for name in names.split()})


SCALARS: Final = _by_name(_SCALARS)
AGGREGATES: Final = _by_name(_AGGREGATES)
FUNCTIONS: Final = frozenset({*SCALARS, *AGGREGATES, *LISTED, *MADE})
"""All that may stand in an expression."""
