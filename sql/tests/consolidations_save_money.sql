-- A suite costs less than its parts, and is none of them.
select *
from {{ ref('license_consolidations') }}
where annual_saving <= 0
  or annual_saving <> annual_cost_of_parts - annual_cost_of_suite
  or part_sku_ids like '%' || suite_sku_id || '%'
