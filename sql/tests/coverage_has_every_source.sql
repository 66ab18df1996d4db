-- Every tenant has a coverage row of every source.
select t.tenant_id, s.table_name
from (select distinct tenant_id from {{ ref('coverage') }}) as t
cross join {{ ref('coverage_sources') }} as s
left join {{ ref('coverage') }} as c on c.tenant_id = t.tenant_id and c.table_name = s.table_name
where c.table_name is null
